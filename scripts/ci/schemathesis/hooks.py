"""Who asks: an administrator, or for what ends sessions another user, with a new session for each request."""

import base64
import hashlib
import hmac
import json
import os
import secrets

import schemathesis

ENDS_SESSIONS = ("/auth/logout", "/auth/local/change-password", "/me/sessions")


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims_of(token):
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def renewed(token):
    """The same user's token for a session that nobody has ended."""
    claims = claims_of(token)
    claims["sid"], claims["jti"] = secrets.token_hex(16), secrets.token_hex(16)
    signed = token.split(".")[0] + "." + encode(json.dumps(claims, separators=(",", ":")).encode())
    secret = os.environ["KIT_ACCESS_SECRET"].encode()
    return signed + "." + encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())


@schemathesis.hook
def before_call(context, case, kwargs):
    """Nobody takes the administrator's role away: the rest of the check would be 403."""
    if case.operation.path == "/api/v1/admin/users/{id}/roles" and case.path_parameters:
        if str(case.path_parameters.get("id")) == "1":
            case.path_parameters["id"] = 2


@schemathesis.auth(refresh_interval=None)  # each operation has its own
class Bearer:
    def get(self, case, context):
        if any(part in case.operation.path for part in ENDS_SESSIONS):
            return renewed(os.environ["KIT_USER_TOKEN"])
        return os.environ["KIT_ADMIN_TOKEN"]

    def set(self, case, data, context):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
