#!/usr/bin/python3
"""Takes TLS connections for a server on 127.0.0.1 that does not speak TLS: prints "port N", then relays.

    tls_relay.py CERTIFICATE KEY SERVER_PORT
"""

import asyncio
import contextlib
import ssl
import sys


async def copy(reader, writer):
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def main(certificate, key, server_port):
    async def relay(reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", int(server_port))
        await asyncio.gather(copy(reader, server_writer), copy(server_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
