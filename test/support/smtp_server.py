#!/usr/bin/python3
"""An SMTP server for tests, of Debian's python3-aiosmtpd: prints "port N", then every message it took as a line of JSON.

    smtp_server.py [--starttls CERTIFICATE KEY | --smtps CERTIFICATE KEY] [--login USER PASSWORD] [--port PORT]
                   [--hold COUNT] [--answer CODE] [--drip SECONDS]

--hold: so many messages are taken and never answered. --answer: every recipient is refused with that code. --drip: answers come
byte by byte, so long apart; prints "dripping" for each connection.

A recipient such as 451-anybody@example.com is answered with that code; so is a message with a header "X-Answer: 554".
"""

import argparse
import asyncio
import json
import re
import ssl

from aiosmtpd.smtp import SMTP, AuthResult


class Recorder:
    hold = 0
    answer = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        refused = re.match(r"(\d{3})", self.answer or "") or re.match(r"(\d{3})-", address)
        if refused:
            print("refused", refused[1], flush=True)
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
        if self.hold > 0:
            self.hold -= 1
            await asyncio.Event().wait()
        return "250 OK"


class Dripping(SMTP):
    """Always about to say the next byte."""

    pause = 0.0

    def connection_made(self, transport):
        print("dripping", flush=True)
        super().connection_made(transport)

    async def push(self, status):
        line = status if isinstance(status, bytes) else status.encode()
        for byte in line + b"\r\n":
            self._writer.write(bytes([byte]))
            await self._writer.drain()
            await asyncio.sleep(self.pause)


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
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hold", type=int, default=0)
    parser.add_argument("--answer")
    parser.add_argument("--drip", type=float)
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

    recorder = Recorder()
    recorder.hold = arguments.hold
    recorder.answer = arguments.answer

    kind = SMTP
    if arguments.drip is not None:
        kind = Dripping
        kind.pause = arguments.drip

    def session():
        return kind(recorder, **settings)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", arguments.port, ssl=context if arguments.smtps else None)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
