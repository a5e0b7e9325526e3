import { Effect } from "effect"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"

export const listening = (server: Server, host = "127.0.0.1") =>
  Effect.acquireRelease(
    Effect.async<string>((resume) =>
      void server.listen(0, host, () => {
        const { family, port } = server.address() as AddressInfo
        resume(Effect.succeed(`http://${family === "IPv6" ? `[${host}]` : host}:${port}`))
      })
    ),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
