#!/usr/bin/python3
"""An SMTP server for tests, of Debian's python3-aiosmtpd: prints "port N", then every message it took as a line of JSON.

    smtp_server.py [--starttls CERTIFICATE KEY | --smtps CERTIFICATE KEY] [--login USER PASSWORD]

A recipient such as 451-anybody@example.com is answered with that code; so is a message with a header "X-Answer: 554".
"""

import argparse
import asyncio
import json
import re
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Recorder:
    async def handle_RCPT(self, server, session, envelope, address, options):
        refused = re.match(r"(\d{3})-", address)
        if refused:
            return f"{refused[1]} {address} is not wanted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = re.search(rb"(?mi)^x-answer: (\d{3})", envelope.content)
        if answer:
            return f"{answer[1].decode()} message for {envelope.rcpt_tos[0]} refused"
        print(
            json.dumps(
                {
                    "sender": envelope.mail_from,
                    "recipients": envelope.rcpt_tos,
                    "data": envelope.content.decode(),
                    "tls": session.ssl is not None,
                    "login": session.auth_data.login.decode() if session.auth_data else "",
                }
            ),
            flush=True,
        )
        return "250 OK"


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        ok = data.login.decode() == user and data.password.decode() == password
        return AuthResult(success=ok, handled=False, auth_data=data if ok else None)

    return check


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--starttls", nargs=2)
    parser.add_argument("--smtps", nargs=2)
    parser.add_argument("--login", nargs=2)
    arguments = parser.parse_args()

    files = arguments.starttls or arguments.smtps
    context = None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    settings = {"hostname": "test", "tls_context": context if arguments.starttls else None}
    if arguments.login:
        settings |= {
            "authenticator": authenticator(*arguments.login),
            "auth_required": True,
            "auth_require_tls": bool(arguments.starttls),
        }

    def session():
        return SMTP(Recorder(), **settings)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=context if arguments.smtps else None)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
