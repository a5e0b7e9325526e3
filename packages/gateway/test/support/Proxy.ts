import { ReservedPort } from "@mcp-lifeline/testing"
import { Effect } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import type { IncomingMessage } from "node:http"
import { request as httpsRequest } from "node:https"
import { connect } from "node:net"
import { delimiter, join } from "node:path"
import { Readable } from "node:stream"
import { blocksOf } from "../../../../tools/snippets.mjs"
import { folder } from "../../../testing/test/support/folder.js"
import { eventually } from "../../../testing/test/support/Processes.js"

export const name = "mcp.example.com"
export type Kind = "nginx" | "caddy"

const places = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"]

const programOf = (kind: string): string | undefined =>
  places.map((place) => join(place, kind)).find((file) => existsSync(file))

export const isInstalled = (kind: Kind): boolean => programOf(kind) !== undefined && programOf("openssl") !== undefined

export const title = (kind: Kind): string =>
  isInstalled(kind) ? `behind ${kind}` : `behind ${kind} (skipped: no ${kind} on this machine, or no openssl)`

export const recipe = (language: "nginx" | "caddyfile", begins: RegExp): string => {
  const found = blocksOf("docs/tasks/behind-a-proxy.md").filter((block) => block.language === language)
    .map(({ code }) => `${code.join("\n")}\n`).filter((text) => begins.test(text))
  if (found.length !== 1) throw new Error(`the page has ${found.length} such recipes for ${language}: ${begins}`)
  return found[0]!
}

export const whole: Readonly<Record<Kind, () => string>> = {
  nginx: () => recipe("nginx", /^# \/etc\/nginx/),
  caddy: () => recipe("caddyfile", /^# \/etc\/caddy/)
}

export const replaced = (text: string, from: string, to: string): string => {
  if (!text.includes(from)) throw new Error(`there is no ${from} in:\n${text}`)
  return text.replaceAll(from, to)
}

const certificate = (path: string): { readonly cert: string; readonly key: string } => {
  const [cert, key] = [join(path, "cert.pem"), join(path, "key.pem")]
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", cert]
  ])
  if (made.status !== 0) throw new Error(String(made.stderr))
  return { cert, key }
}

/** What a main configuration of nginx has around a recipe, so that it writes to a folder of the test only. */
const nginxMain = (path: string, recipe: string): string => {
  const kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
  const temporary = kinds.map((kind) => `${kind}_temp_path ${join(path, kind)};`).join("\n")
  const user = process.getuid?.() === 0 ? "user root;\n" : ""
  return `${user}daemon off;\nworker_processes 1;\npid ${join(path, "pid")};\nerror_log stderr;\n`
    + `events { worker_connections 256; }\nhttp {\naccess_log off;\n${temporary}\n${recipe}}\n`
}

const placed = (kind: Kind, text: string, upstream: string, port: number, path: string): string => {
  const { cert, key } = certificate(path)
  const own = replaced(
    replaced(replaced(text, "127.0.0.1:7332", upstream), `/etc/ssl/${name}.pem`, cert),
    `/etc/ssl/${name}.key`,
    key
  )
  return kind === "nginx"
    ? nginxMain(path, replaced(own, "listen 443 ", `listen 127.0.0.1:${port} `))
    // Without HTTP/3, which would need the port of UDP that the reservation has.
    : `{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port ${port}\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n\n${own}`
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    const end = (is: boolean): void => {
      socket.destroy()
      resolve(is)
    }
    socket.once("connect", () => end(true)).once("error", () => end(false))
  })

export interface Proxy {
  /** Under which clients reach it, without a slash at the end. */
  readonly url: string
  readonly fetch: (input: string | URL, init?: RequestInit) => Promise<Response>
  /** The answers that are still on their way, by the method of their request. */
  readonly open: (method: string) => ReadonlyArray<IncomingMessage>
}

export const port = Effect.map(ReservedPort.make, ({ port }) => port)

export const start = Effect.fnUntraced(function*(kind: Kind, recipe: string, upstream: string, port: number) {
  const path = yield* folder
  const file = join(path, "configuration")
  writeFileSync(file, placed(kind, recipe, upstream, port, path))
  const home = join(path, "home")
  mkdirSync(home)
  const args = kind === "nginx" ? ["-p", path, "-c", file] : ["run", "--config", file, "--adapter", "caddyfile"]
  const said: Array<string> = []
  const child = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const env = { ...process.env, HOME: home, XDG_DATA_HOME: home, XDG_CONFIG_HOME: home }
      const child = spawn(programOf(kind) ?? kind, args, { env, stdio: ["ignore", "ignore", "pipe"] })
      child.stderr.setEncoding("utf8").on("data", (text: string) => void said.push(text))
      return child
    }),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const ended = new Promise((resolve) => child.once("close", resolve))
        child.kill("SIGTERM")
        await ended
      })
  )
  let isUp = false
  yield* eventually(() => {
    if (child.exitCode !== null) throw new Error(`${kind} has ended: ${said.join("")}`)
    void answers(port).then((is) => (isUp = is))
    return isUp ? true : undefined
  })
  return over(`https://${name}:${port}`, readFileSync(join(path, "cert.pem")))
})

const over = (url: string, ca: Buffer): Proxy => {
  const open = new Map<IncomingMessage, string>()
  return {
    url,
    open: (method) => [...open].flatMap(([answer, of]) => of === method ? answer : []),
    fetch: (input, { body, headers, method = "GET", signal } = {}) =>
      new Promise((resolve, reject) => {
        const { host, hostname, pathname, port, search } = new URL(input)
        const sent = httpsRequest({
          ...{ host: "127.0.0.1", port, path: `${pathname}${search}`, method, ca, servername: hostname },
          headers: { host, ...Object.fromEntries(new Headers(headers ?? {})) },
          ...(signal ? { signal } : {})
        }, (answer) => {
          open.set(answer, method)
          answer.once("close", () => open.delete(answer))
          const status = answer.statusCode ?? 0
          const isEmpty = [204, 205, 304].includes(status)
          if (isEmpty) answer.resume()
          resolve(
            new Response(isEmpty ? null : Readable.toWeb(answer) as never, {
              status,
              headers: answer.headers as Record<string, string>
            })
          )
        })
        sent.once("error", reject)
        sent.end(body as string | undefined)
      })
  }
}
