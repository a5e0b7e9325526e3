import type * as Net from "node:net"

/** On 127.0.0.1. Rejects if it cannot listen. */
export const listening = (server: Net.Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject)
      resolve()
    })
  })
