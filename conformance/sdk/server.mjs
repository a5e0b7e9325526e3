/** The server of Lifeline that a transport of a test leads to. */
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"

/** Who is to know that Lifeline is used. */
export const use = { by: () => {} }

/** Shorter than the tests' own limits. */
export const options = { name: "peer", timeouts: { connect: 4000, close: 1000 }, reconnect: { initialDelay: 50 } }

/** @param {any} transport its address, headers and login are private members */
const http = ({ _authProvider, _fetch, _requestInit, _url }) => ({
  url: _url,
  ..._requestInit?.headers === undefined ? {} : { headers: Object.fromEntries(new Headers(_requestInit.headers)) },
  ..._authProvider === undefined ? {} : { authProvider: _authProvider },
  ..._fetch === undefined ? {} : { fetch: _fetch }
})

/** @param {any} transport @returns {any} */
export const serverOf = (transport) => {
  use.by()
  if (transport instanceof StreamableHTTPClientTransport) return { type: "http", ...http(transport) }
  if (transport instanceof SSEClientTransport) return { type: "sse", ...http(transport) }
  if (transport instanceof StdioClientTransport) {
    const { args = [], command, cwd, env } = /** @type {any} */ (transport)._serverParams
    return { command, args, ...env === undefined ? {} : { env }, ...cwd === undefined ? {} : { cwd } }
  }
  return { transport: () => transport }
}
