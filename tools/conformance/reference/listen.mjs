/** How both reference servers are served at a URL: on loopback only, and under its names only. */
import {
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  validateHostHeader,
  validateOriginHeader
} from "@modelcontextprotocol/server"
import { createServer } from "node:http"

/** Listens, and writes the URL to standard output. @param {import("node:http").RequestListener} handle */
export const listen = (handle) => {
  // A suite that stands still for seconds on a busy machine shall not meet the end of an idle connection.
  const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const { host, origin } = request.headers
    const isLocal = validateHostHeader(host, localhostAllowedHostnames()).ok &&
      validateOriginHeader(origin, localhostAllowedOrigins()).ok
    if (isLocal) return handle(request, response)
    response.writeHead(403).end()
  })
  server.listen(0, "127.0.0.1", () => {
    const { port } = /** @type {import("node:net").AddressInfo} */ (server.address())
    console.log(`http://127.0.0.1:${port}/mcp`)
  })
}
