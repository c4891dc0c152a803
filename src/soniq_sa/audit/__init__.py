"""Whether the tables show that every job ran to one recorded end; see `soniq_sa.statements.audit`."""

from __future__ import annotations

from soniq_sa.audit.auditor import audit_tables
from soniq_sa.audit.report import AuditFinding, AuditReport, AuditResult
from soniq_sa.audit.scope import checked_scope

__all__ = ["AuditFinding", "AuditReport", "AuditResult", "audit_tables", "checked_scope"]
