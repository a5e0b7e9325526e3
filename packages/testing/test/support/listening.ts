import { Effect } from "effect"
import type { Server } from "node:http"
import type { AddressInfo } from "node:net"

export const listening = (server: Server) =>
  Effect.acquireRelease(
    Effect.async<string>((resume) =>
      void server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)))
    ),
    () =>
      Effect.sync(() =>
        server.close().closeAllConnections()
      )
  )
