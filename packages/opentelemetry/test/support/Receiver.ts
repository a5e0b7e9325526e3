import { Effect, type Scope } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { json } from "node:stream/consumers"

export interface Receiver {
  readonly url: string
  readonly bodies: (path: string) => ReadonlyArray<unknown>
}

export const make: Effect.Effect<Receiver, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(async () => {
    const got: Array<{ readonly path: string; readonly body: unknown }> = []
    const server = Http.createServer((request, response) => {
      void json(request).then((body) => {
        got.push({ path: request.url ?? "", body })
        response.writeHead(200, { "content-type": "application/json" }).end("{}")
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const { port } = server.address() as AddressInfo
    const bodies = (path: string) => got.filter((one) => one.path === path).map((one) => one.body)
    return { server, url: `http://127.0.0.1:${port}`, bodies }
  }),
  ({ server }) =>
    Effect.promise(() =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
    )
)
