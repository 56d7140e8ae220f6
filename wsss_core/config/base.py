"""What all sections of the config have in common."""

from pydantic import BaseModel, ConfigDict


class ConfigModel(BaseModel):
    """A frozen section: an unknown key is an error, since it is nearly always a mistyped one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
