/** The status page at `/`. Its files need no token: they contain nothing about this gateway; the data comes from `/api`. */
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, extname, join } from "node:path"

export interface Page {
  /** `undefined` if the path is none of the page's files. */
  readonly at: (path: string) => Handler | undefined
}

/** Whether this module runs from sources, compiled files, or a bundle. */
const folder = (): string =>
  join(dirname(createRequire(import.meta.url).resolve("mcp-lifeline/package.json")), "src/page/browser")

/** Other files in the folder are only for development. */
const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml"
}

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

/** In addition to those of the listener. */
const headers = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": policy,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY"
}

const serve = (body: Buffer, type: string): Handler => {
  const etag = `"${createHash("sha256").update(body).digest("base64url")}"`
  return ({ headers: { "if-none-match": known }, method }, response) => {
    if (method !== "GET" && method !== "HEAD") {
      response.writeHead(405, { ...headers, Allow: "GET, HEAD", Connection: "close" }).end()
    } else if (known === etag) {
      response.writeHead(304, { ...headers, ETag: etag }).end()
    } else {
      response.writeHead(200, { ...headers, "Content-Type": type, "Content-Length": body.length, ETag: etag })
      response.end(method === "HEAD" ? undefined : body)
    }
  }
}

const read = (from: string): ReadonlyMap<string, Handler> =>
  new Map(
    readdirSync(from).flatMap((name) => {
      const type = types[extname(name)]
      if (type === undefined) return []
      return [[name === "index.html" ? "/" : `/page/${name}`, serve(readFileSync(join(from, name)), type)] as const]
    })
  )

/** If the files are missing, logs a warning, and the gateway runs without the page. */
export const make: Effect.Effect<Page> = Effect.try(() => read(folder())).pipe(
  Effect.catchAll(({ error }) =>
    Effect.as(
      Effect.logWarning(`the status page is not served, since its files cannot be read: ${error}`),
      new Map<string, Handler>()
    )
  ),
  Effect.map((files): Page => ({ at: (path) => files.get(path) }))
)
