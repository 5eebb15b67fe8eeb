"""No routes yet: the blueprint brings the message templates along."""

from flask import Blueprint

blueprint = Blueprint("notifications", __name__, template_folder="templates")
