/**
 * A registry on loopback, so that installations are compared and not a network: it offers packages that were packed here, and keeps
 * whatever else it has fetched.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import http, { createServer } from "node:http"
import https from "node:https"
import { basename } from "node:path"
import { buffer } from "node:stream/consumers"
import { capture } from "../run.mjs"

/** @typedef {{ readonly type: string, readonly body: Buffer }} Document */

/** The short form of what a registry knows of a package, or its tarball. @param {string} url @param {Buffer | undefined} ca */
const asked = async (url, ca) => {
  const headers = { accept: "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*" }
  /** @type {import("node:http").IncomingMessage} */
  const response = await new Promise((resolve, reject) => {
    const options = { headers, ...(ca && { ca }) }
    const request = url.startsWith("https:") ? https.get(url, options, resolve) : http.get(url, options, resolve)
    request.once("error", reject)
  })
  return { status: response.statusCode, type: response.headers["content-type"] ?? "", body: await buffer(response) }
}

/**
 * Resolves with the registry's URL, and with what ends it.
 *
 * @param {ReadonlyArray<{ manifest: { name: string, version: string }, tarball: string }>} packed
 */
export const serve = async (packed) => {
  const upstream = (await capture("npm", ["config", "get", "registry", "--loglevel=error"])).trim().replace(/\/$/, "")
  const cafile = (await capture("npm", ["config", "get", "cafile", "--loglevel=error"])).trim()
  const ca = cafile === "null" ? undefined : readFileSync(cafile)
  /** @type {Map<string, () => Promise<Document>>} */
  const documents = new Map()
  let url = ""

  for (const { manifest, tarball } of packed) {
    const { name, version } = manifest
    const body = readFileSync(tarball)
    const path = `/${name}/-/${basename(tarball)}`
    documents.set(path, async () => ({ type: "application/octet-stream", body }))
    const dist = () => ({
      tarball: `${url}${path}`,
      integrity: `sha512-${createHash("sha512").update(body).digest("base64")}`
    })
    const about = () => ({
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { ...manifest, dist: dist() } }
    })
    documents.set(`/${name}`, async () => ({ type: "application/json", body: Buffer.from(JSON.stringify(about())) }))
  }

  /** @param {string} path @returns {Promise<Document>} */
  const fetched = async (path) => {
    const { body, status, type } = await asked(`${upstream}${path}`, ca)
    if (status !== 200) throw new Error(`${path}: ${status}`)
    return { type, body: type.includes("json") ? Buffer.from(body.toString().replaceAll(upstream, url)) : body }
  }

  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "/")
    if (!documents.has(path)) {
      const document = fetched(request.url ?? "/")
      documents.set(path, () => document)
    }
    documents.get(path)?.().then(
      ({ body, type }) => response.writeHead(200, { "content-type": type }).end(body),
      () => response.writeHead(404).end()
    )
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the registry has no port")
  url = `http://127.0.0.1:${address.port}`
  return {
    url,
    end: () => {
      server.closeAllConnections()
      server.close()
    }
  }
}
