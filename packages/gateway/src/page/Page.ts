/** The status page at `/`. Its files need no token: they contain nothing about this gateway; the data comes from `/api`. */
import type { Handler } from "@mcp-lifeline/http-server/Listener"
import { Effect } from "effect"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, dirname, extname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** By path. */
export type Page = ReadonlyMap<string, Handler>

const { resolve } = createRequire(import.meta.url)

/** What the page imports of others, by its import map. */
const libraries = { "htm.mjs": "htm", "hooks.mjs": "preact/hooks", "preact.mjs": "preact" }

/** Published beside the program, which needs no other package for them. */
const library = ([name, specifier]: readonly [name: string, specifier: string]): string => {
  const published = fileURLToPath(new URL(name, import.meta.url))
  return existsSync(published) ? published : join(dirname(resolve(specifier)), name)
}

/** Other files in the folder are only for development. */
const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml"
}

const hashOf = (body: Buffer | string): Buffer => createHash("sha256").update(body).digest()

/** In addition to those of the listener. Browsers take import maps from the HTML only, which they know by their hashes then. */
const headersOf = (html: string) => ({
  "Cache-Control": "no-cache",
  "Content-Security-Policy": [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hashOf(/"importmap">([^<]*)/.exec(html)?.[1] ?? "").toString("base64")}'`,
    "style-src 'self'; img-src 'self'; connect-src 'self'",
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "require-trusted-types-for 'script'; trusted-types 'none'"
  ].join("; "),
  "Cross-Origin-Opener-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
  "X-Frame-Options": "DENY"
})

const serve = (body: Buffer, type: string, headers: Readonly<Record<string, string>>): Handler => {
  const etag = `"${hashOf(body).toString("base64url")}"`
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

const read = (): Page => {
  // Whether this module runs from sources, compiled files, or a bundle.
  const from = join(dirname(resolve("mcp-lifeline/package.json")), "src/page/browser")
  const files = [...readdirSync(from).map((name) => join(from, name)), ...Object.entries(libraries).map(library)]
  const headers = headersOf(readFileSync(join(from, "index.html"), "utf8"))
  return new Map(
    files.flatMap((file) => {
      const [name, type] = [basename(file), types[extname(file)]]
      return type === undefined
        ? []
        : [[name === "index.html" ? "/" : `/page/${name}`, serve(readFileSync(file), type, headers)] as const]
    })
  )
}

/** If the files are missing, logs a warning, and the gateway runs without the page. */
export const make: Effect.Effect<Page> = Effect.catchAll(
  Effect.try(read),
  ({ error }) =>
    Effect.as(Effect.logWarning(`the status page is not served, since its files cannot be read: ${error}`), new Map())
)
