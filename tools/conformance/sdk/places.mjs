/** Puts Lifeline under an official Client, of v1 or v2. */
import { supervisedTransport } from "@mcp-lifeline/client"

/** Who is to know that Lifeline is used. */
export const use = { by: () => {} }

/** Shorter than the tests' own limits. */
export const options = { name: "peer", timeouts: { connect: 4000, close: 1000 }, reconnect: { initialDelay: 50 } }

/** @param {any} transport its address, headers and login are private members; v2 keeps an adapted login beside the one that it was given */
const http = ({ _authProvider, _fetch, _oauthProvider = _authProvider, _requestInit, _url }) => ({
  url: _url,
  ..._requestInit?.headers === undefined ? {} : { headers: Object.fromEntries(new Headers(_requestInit.headers)) },
  ..._oauthProvider === undefined ? {} : { authProvider: _oauthProvider },
  ..._fetch === undefined ? {} : { fetch: _fetch }
})

/**
 * What depends on the SDK's classes of transports.
 *
 * @param {{ readonly Http: any, readonly Sse: any, readonly Stdio: any }} classes
 */
export const places = ({ Http, Sse, Stdio }) => {
  /** The server of Lifeline that a transport of a test leads to. @param {any} transport @returns {any} */
  const serverOf = (transport) => {
    use.by()
    if (transport instanceof Http) return { type: "http", ...http(transport) }
    if (transport instanceof Sse) return { type: "sse", ...http(transport) }
    if (transport instanceof Stdio) {
      const { args = [], command, cwd, env } = /** @type {any} */ (transport)._serverParams
      return { command, args, ...env === undefined ? {} : { env }, ...cwd === undefined ? {} : { cwd } }
    }
    return { transport: () => transport }
  }

  /**
   * Lets a test read of the transport that it has made what it would have read, had the Client used it.
   *
   * @param {any} transport
   * @param {() => { readonly sessionId?: string | undefined } | undefined} ours
   * @param {() => { readonly status: { readonly peer?: { readonly pid?: number | undefined } | undefined } } | undefined} supervision
   */
  const mirror = (transport, ours, supervision) => {
    if (transport instanceof Http) Object.defineProperty(transport, "sessionId", { get: () => ours()?.sessionId })
    if (transport instanceof Stdio) {
      Object.defineProperty(transport, "pid", { get: () => supervision()?.status.peer?.pid ?? null })
    }
  }

  /** The official Client, whose transports are Lifeline's: `supervisedTransport`. @param {any} Official @returns {any} */
  const supervised = (Official) =>
    class Client extends Official {
      /** @param {any} transport @param {any} [requestOptions] */
      async connect(transport, requestOptions) {
        /** @type {any} */
        const supervised = supervisedTransport(serverOf(transport), options)
        // What the test has set on its own transport.
        for (const name of ["onclose", "onerror", "onmessage"]) {
          if (typeof transport[name] === "function") supervised[name] = transport[name]
        }
        mirror(transport, () => supervised, () => supervised.supervision)
        return super.connect(supervised, requestOptions)
      }
    }

  return { mirror, serverOf, supervised }
}
