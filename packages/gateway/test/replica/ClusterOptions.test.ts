import { Effect, Inspectable, Redacted } from "effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { folder } from "../../../testing/test/support/folder.js"
import * as Cli from "../../src/Cli.js"
import { databaseUrl } from "../../src/replica/clusterFiles.js"
import * as ClusterOptions from "../../src/replica/ClusterOptions.js"
import type { UsageError } from "../../src/text/Errors.js"
import { describe, expect, it, test } from "../support/vitest.js"

const key = "k".repeat(32)
const store = "postgres://lifeline:hush@db.example/lifeline"
const variables = { MCP_LIFELINE_SESSION_KEY: key }
const serve = ["serve", "--config", "a.json"]

const parse = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = variables) =>
  Effect.try({ try: () => Cli.read(args, env), catch: (error) => error as UsageError })

const clusterOf = (args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = variables) =>
  Effect.map(
    parse([...serve, ...args], env),
    (request) => request._tag === "Serve" ? request.options.cluster : undefined
  )

const urlOf = (given: ClusterOptions.ClusterOptions | undefined) =>
  given && Redacted.isRedacted(given.store) && Redacted.value(given.store)

const refusal = (args: ReadonlyArray<string>, env?: NodeJS.ProcessEnv) =>
  Effect.map(Effect.flip(parse(args, env)), ({ message }) => {
    expect(message).toMatch(/; see mcp-lifeline serve --help$/)
    return message.replace(/; see mcp-lifeline serve --help$/, "")
  })

describe("serve --cluster", () => {
  test.effect("[D1:cli] takes the URL of the database from the command line or the variable, and shows it nowhere", function*() {
    const given = yield* clusterOf(["--cluster", store])
    expect(urlOf(given)).toBe(store)
    expect(Inspectable.toStringUnknown(given)).not.toContain("hush")
    const other = yield* clusterOf([], { ...variables, MCP_LIFELINE_CLUSTER: " postgresql:///lifeline\n" })
    expect(urlOf(other)).toBe("postgresql:///lifeline")
    const socket = "postgres://user@/lifeline?host=/run/postgresql"
    expect(urlOf(yield* clusterOf(["--cluster", socket]))).toBe(socket)
    expect(yield* clusterOf([])).toBeUndefined()
    expect(yield* clusterOf([], { ...variables, MCP_LIFELINE_CLUSTER: "" })).toBeUndefined()
  })

  test.effect.each<[url: string, message: string]>([
    [
      "mysql://root:hush@db/lifeline",
      "must be the URL of a PostgreSQL database, such as postgres://user@host/database"
    ],
    ["db.example", "must be the URL of a PostgreSQL database, such as postgres://user@host/database"],
    [
      "postgres://root:hu#sh@db/lifeline",
      "is not a valid URL: it has one host, and user and password are percent-encoded (%40 for @, %2F for /)"
    ]
  ])("[D1:cli] refuses the URL %s without its password", function*([url, message]) {
    expect(yield* refusal([...serve, "--cluster", url])).toBe(`--cluster ${message}`)
    expect(yield* refusal(serve, { ...variables, MCP_LIFELINE_CLUSTER: url })).toBe(`MCP_LIFELINE_CLUSTER ${message}`)
  })

  test.effect("[D1:cli] listens for the other replicas at the address that it tells them, or at another one", function*() {
    const places = (...args: ReadonlyArray<string>) =>
      Effect.map(clusterOf(["--cluster", store, ...args]), (cluster) => [cluster?.address, cluster?.listen])
    expect(yield* places()).toEqual([undefined, { host: "127.0.0.1", port: 0 }])
    expect(yield* places("--cluster-address", "http://10.0.0.1:7333"))
      .toEqual(["http://10.0.0.1:7333", { host: "10.0.0.1", port: 7333 }])
    expect(yield* places("--cluster-address", "HTTP://[fd00:0::1]:80/"))
      .toEqual(["http://[fd00::1]:80", { host: "fd00::1", port: 80 }])
    expect(yield* places("--cluster-address", "http://a.example:7333", "--cluster-listen", "[::]:7334"))
      .toEqual(["http://a.example:7333", { host: "::", port: 7334 }])
    const env = { ...variables, MCP_LIFELINE_CLUSTER_ADDRESS: "http://a.example:7333" }
    expect((yield* clusterOf(["--cluster", store], env))?.address).toBe("http://a.example:7333")
  })

  test.scoped("[D1:cli] [G26] reads the URL from a file, and says what is wrong with it without its password", function*() {
    const file = join(yield* folder, "database")
    const given = yield* clusterOf(["--cluster-file", file, "--cluster", "postgres://other/lifeline"])
    expect(given?.store).toEqual({ file })
    const read = databaseUrl({ store: { file } })
    const said = Effect.map(Effect.flip(read), ({ message }) => message)
    expect(yield* said).toBe(`--cluster-file ${file} cannot be read: there is no such file`)
    writeFileSync(file, "mysql://root:hush@db/lifeline\n")
    expect(yield* said).toBe(
      `the content of --cluster-file ${file} must be the URL of a PostgreSQL database, such as postgres://user@host/database`
    )
    writeFileSync(file, `${store}\n`)
    expect(Redacted.value(yield* read)).toBe(store)
    expect(Redacted.value(yield* databaseUrl({ store: Redacted.make(store) }))).toBe(store)
    expect(yield* refusal(["serve", "--cluster-file", file]))
      .toBe("--cluster-file needs --config FILE: the file that all replicas serve")
  })

  test.effect("[D1:cli D5] has the durations that were given, as options or as variables", function*() {
    const terms = (args: ReadonlyArray<string>, env?: NodeJS.ProcessEnv) =>
      Effect.map(clusterOf(["--cluster", store, ...args], { ...variables, ...env }), (cluster) => cluster?.terms)
    expect(yield* terms([])).toEqual({ lease: undefined, withoutStore: undefined })
    expect(yield* terms(["--cluster-lease", "20s", "--cluster-without-database", "1 minute"]))
      .toEqual({ lease: 20_000, withoutStore: 60_000 })
    const env = { MCP_LIFELINE_CLUSTER_LEASE: "2 s", MCP_LIFELINE_CLUSTER_WITHOUT_DATABASE: "0s" }
    expect(yield* terms([], env)).toEqual({ lease: 2000, withoutStore: 0 })
    expect(yield* terms(["--cluster-lease=1min", "--cluster-without-database=1h"], env))
      .toEqual({ lease: 60_000, withoutStore: 3_600_000 })
  })

  test.effect.each<[option: string, values: ReadonlyArray<string>, accepted: string]>([
    [
      "--cluster-lease",
      ["1999ms", "61 s", "20", "-5 s", "infinity", "soon", "Infinity s", "1e9s"],
      "2 s to 1 min, such as 20s"
    ],
    ["--cluster-without-database", ["61 min", "-1ms", "600000", "never"], "0 ms to 1 h, such as 1min"]
  ])("[D1:cli] refuses durations of %s that are out of its bounds, or none", function*([option, values, accepted]) {
    const message = `must be a duration from ${accepted}`
    for (const value of values) {
      expect(yield* refusal([...serve, "--cluster", store, `${option}=${value}`])).toBe(`${option} ${message}`)
    }
    const variable = `MCP_LIFELINE_${option.slice(2).toUpperCase().replaceAll("-", "_")}`
    const env = { ...variables, [variable]: "1 year" }
    expect(yield* refusal([...serve, "--cluster", store], env)).toBe(`${variable} ${message}`)
  })

  const form =
    "must be http://HOST:PORT or https://HOST:PORT, without a user, a path or a query; an IPv6 address has brackets"
  const wildcard = "must be an address that the other replicas can reach; to listen on all, give --cluster-listen"

  test.effect.each<[address: string, message: string]>([
    ["http://10.0.0.1", form],
    ["http://10.0.0.1:0", form],
    ["http://10.0.0.1:65536", form],
    ["http://user:hush@10.0.0.1:7333", form],
    ["http://10.0.0.1:7333/path", form],
    ["http://10.0.0.1:7333?a=b", form],
    ["http://fd00::1:7333", form],
    ["http://:7333", form],
    ["ftp://10.0.0.1:7333", form],
    ["10.0.0.1:7333", form],
    ["http://0.0.0.0:7333", wildcard],
    ["http://[::0]:7333", wildcard]
  ])("[D1:cli] refuses the address %s", function*([address, message]) {
    expect(yield* refusal([...serve, "--cluster", store, "--cluster-address", address]))
      .toBe(`--cluster-address ${message}`)
  })

  test.effect.each(["7333", "0.0.0.0:0", "0.0.0.0:65536", ":7333", "http://a:7333", "::7333"])(
    "[D1:cli] refuses to listen at %s",
    function*(listen) {
      const address = ["--cluster-address", "http://10.0.0.1:7333"]
      expect(yield* refusal([...serve, "--cluster", store, ...address, "--cluster-listen", listen]))
        .toBe("--cluster-listen must be ADDRESS:PORT, such as 0.0.0.0:7333 or [::]:7333")
    }
  )

  test.effect("[D1:cli] has the files of a certificate for an address of https, and only for that", function*() {
    const https = ["--cluster", store, "--cluster-address", "https://10.0.0.1:7333"]
    const files = ["--cluster-certificate", "a.pem", "--cluster-certificate-key", "a-key.pem"]
    const given = yield* clusterOf([...https, ...files])
    expect(given?.certificate).toEqual({ certificate: "a.pem", key: "a-key.pem" })
    const refused = (...args: ReadonlyArray<string>) => refusal([...serve, ...args])
    expect(yield* refused(...https))
      .toBe("--cluster-address is https; give --cluster-certificate and --cluster-certificate-key, too")
    for (const half of [files.slice(0, 2), files.slice(2)]) {
      expect(yield* refused(...https, ...half))
        .toBe("--cluster-certificate and --cluster-certificate-key belong together; give both or none")
    }
    expect(yield* refused("--cluster", store, ...files))
      .toBe("--cluster-certificate needs a --cluster-address that begins with https")
  })

  const file = "--config a.json"
  const needs = "needs --cluster or --cluster-file"
  const alone = (other: string) => `cannot be combined with ${other}; keep one of the two`

  test.effect.each<[message: string, line: string, env?: NodeJS.ProcessEnv]>([
    [`--cluster-address ${needs}`, `${file} --cluster-address http://10.0.0.1:1`],
    [`MCP_LIFELINE_CLUSTER_ADDRESS ${needs}`, file, { MCP_LIFELINE_CLUSTER_ADDRESS: "http://10.0.0.1:1" }],
    [`--cluster-listen ${needs}`, `${file} --cluster-listen 0.0.0.0:1`],
    [`--cluster-certificate ${needs}`, `${file} --cluster-certificate a.pem`],
    [`--cluster-certificate-key ${needs}`, `${file} --cluster-certificate-key a.pem`],
    [`--cluster-lease ${needs}`, `${file} --cluster-lease 20s`],
    [`--cluster-without-database ${needs}`, `${file} --cluster-without-database 1min`],
    [`--cluster ${alone("--stdio")}`, `${file} --stdio --cluster ${store}`],
    [`MCP_LIFELINE_CLUSTER ${alone("--stdio")}`, `${file} --stdio`, { ...variables, MCP_LIFELINE_CLUSTER: store }],
    [`--cluster ${alone("--linger")}`, `${file} --linger 5 --cluster ${store}`],
    ["--cluster needs --config FILE: the file that all replicas serve", `--cluster ${store}`],
    [
      "--cluster needs a session key, the same for all replicas: give --session-key-file or MCP_LIFELINE_SESSION_KEY, made with: "
      + "openssl rand -base64 32",
      `${file} --cluster ${store}`,
      { MCP_LIFELINE_SESSION_KEY: "" }
    ],
    [
      "--cluster with --host 0.0.0.0 needs a token, the same for all replicas: give --token-file or MCP_LIFELINE_TOKEN",
      `${file} --cluster ${store} --host 0.0.0.0`
    ],
    [
      "--cluster-listen needs --cluster-address, where the other replicas reach what listens there",
      `${file} --cluster ${store} --cluster-listen 0.0.0.0:7333`
    ]
  ])("[D1:cli] refuses what does not go together: %s", function*([message, line, env = variables]) {
    expect(yield* refusal(["serve", ...line.split(" ")], env)).toBe(message)
  })

  test.effect("[D1:cli] takes a key and a token from files", function*() {
    const files = ["--session-key-file", "key", "--token-file", "token"]
    expect(yield* clusterOf(["--cluster", store, "--host", "0.0.0.0", ...files], {}))
      .toMatchObject({ address: undefined, keyFile: undefined })
    expect(yield* clusterOf(["--cluster", store, "--cluster-key-file", "shared", ...files], {}))
      .toMatchObject({ keyFile: "shared" })
  })

  it("[D1:cli] does not start on Windows, and says why", () => {
    const refuse = (why: string): never => {
      throw new Error(why)
    }
    const given = { cluster: Redacted.make(store) } as Parameters<typeof ClusterOptions.read>[0]
    const serve = {
      ...{ config: "a.json", hasKey: true, hasToken: false, host: "127.0.0.1", isBehindProxy: false },
      ...{ linger: undefined, stdio: false }
    }
    const read = (platform: NodeJS.Platform) => ClusterOptions.read(given, serve, { has: () => true, refuse }, platform)
    expect(() => read("win32"))
      .toThrow("--cluster does not work on Windows: there, nothing could end the servers of a replica that hangs")
    expect(read("linux")).toBeDefined()
  })
})
