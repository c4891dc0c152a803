# region contract
from pydantic import BaseModel


class InvoiceArgs(BaseModel):
    order_id: str
    customer: str


# endregion
