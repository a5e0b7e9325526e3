import * as Reactivity from "@effect/experimental/Reactivity"
import { PgClient } from "@effect/sql-pg"
import { Effect, Exit, Redacted, Scope } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Postgres from "../../../testing/test/support/Postgres.js"
import * as PostgresStore from "../../src/PostgresStore.js"
import { defaults as terms } from "../../src/Terms.js"

const run = Effect.runPromise
const key = Redacted.make("a key that all replicas of this test have in common")
const hasOpenssl = spawnSync("openssl", ["version"]).status === 0
const title = hasOpenssl ? Postgres.title : " (skipped: openssl is not installed)"

/** Certificates that are their own authority: one of this address, and one of another name. */
const names = { right: "IP:127.0.0.1", other: "DNS:db.example" }

/** What holds of these parameters stands at `PostgresStore.Options`. */
describe.skipIf(!Postgres.isInstalled || !hasOpenssl)(`TLS to PostgreSQL${title}`, () => {
  const scope = Effect.runSync(Scope.make())
  let folder: string
  let postgres: Postgres.Postgres
  let admin: PgClient.PgClient
  const file = (name: string) => join(folder, name)

  const serve = async (name: keyof typeof names | undefined): Promise<void> => {
    await run(admin.unsafe(`ALTER SYSTEM SET ssl = ${name === undefined ? "off" : "on"}`))
    if (name !== undefined) {
      await run(admin.unsafe(`ALTER SYSTEM SET ssl_cert_file = '${file(`${name}.crt`)}'`))
      await run(admin.unsafe(`ALTER SYSTEM SET ssl_key_file = '${file(`${name}.key`)}'`))
    }
    await run(admin`SELECT pg_reload_conf()`)
    const [ssl, path] = name === undefined ? ["off", undefined] : ["on", file(`${name}.crt`)]
    let now: Record<string, unknown> | undefined
    while (now?.["ssl"] !== ssl || (path !== undefined && now["path"] !== path)) {
      now = (await run(admin`SELECT current_setting('ssl') AS ssl, current_setting('ssl_cert_file') AS path`))[0]
    }
  }

  const reached = (parameters: string, ssl?: PostgresStore.Options["ssl"]): Promise<boolean | string> => {
    const url = Redacted.make(`${postgres.url}?${parameters.replaceAll("FOLDER", folder)}`)
    const encrypted = admin`
      SELECT bool_and(ssl) AS ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'mcp-lifeline'`
    return run(
      Effect.scoped(Effect.zipRight(PostgresStore.make({ url, ssl, terms, key, timeout: "1 minute" }), encrypted)).pipe(
        Effect.map(([row]) => row?.["ssl"] === true),
        Effect.catchAll(({ message }) => Effect.succeed(message))
      )
    )
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "lifeline-tls-"))
    for (const [name, subject] of Object.entries(names)) {
      const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
      const files = ["-keyout", file(`${name}.key`), "-out", file(`${name}.crt`)]
      const named = ["-subj", "/CN=a database", "-addext", `subjectAltName=${subject}`]
      execFileSync("openssl", ["req", "-x509", ...made, ...files, ...named], { stdio: "ignore" })
    }
    // The user of the rig.
    if (process.getuid?.() === 0) {
      for (const path of [folder, ...readdirSync(folder).map(file)]) chownSync(path, 65_534, 65_534)
    }
    postgres = await run(Scope.extend(Postgres.make, scope))
    admin = await run(
      Scope.extend(PgClient.make({ url: Redacted.make(postgres.url) }).pipe(Effect.provide(Reactivity.layer)), scope)
    )
  })
  afterAll(async () => {
    await run(Scope.close(scope, Exit.void))
    rmSync(folder, { recursive: true, force: true })
  })

  const unknown = "the database could not connect: self-signed certificate"
  const otherName = expect.stringMatching(
    /^the database could not connect: Hostname\/IP does not match certificate's altnames: /
  )
  const without = "the database could not connect: The server does not support SSL connections"

  describe.each<[keyof typeof names | undefined, ReadonlyArray<readonly [parameters: string, outcome: unknown]>]>([
    ["right", [
      ["", false],
      ["sslmode=disable", false],
      ["sslmode=verify-full&sslrootcert=FOLDER/right.crt", true],
      ["sslmode=verify-full&sslrootcert=FOLDER/other.crt", unknown],
      ["sslmode=verify-full", unknown],
      ["sslmode=require&sslrootcert=FOLDER/right.crt", true],
      ["sslmode=require", unknown],
      ["sslmode=prefer", unknown],
      ["sslmode=allow", unknown],
      ["ssl=true", unknown],
      ["sslrootcert=FOLDER/right.crt", true],
      ["sslmode=no-verify&sslrootcert=FOLDER/other.crt", true],
      ["uselibpqcompat=true&sslmode=require", true]
    ]],
    ["other", [
      ["sslmode=verify-full&sslrootcert=FOLDER/other.crt", otherName],
      ["sslmode=verify-ca&sslrootcert=FOLDER/other.crt", otherName],
      ["sslmode=require&sslrootcert=FOLDER/other.crt", otherName],
      ["sslmode=no-verify", true],
      ["uselibpqcompat=true&sslmode=verify-ca&sslrootcert=FOLDER/other.crt", true]
    ]],
    [undefined, [["", false], ["sslmode=verify-full", without], ["sslmode=no-verify", without]]]
  ])("of a server with this certificate: %s", (certificate, outcomes) => {
    beforeAll(() => serve(certificate))

    it.each(outcomes)("[D5] %s", async (parameters, outcome) => {
      expect(await reached(parameters)).toEqual(outcome)
    })
  })

  it("[D5] is as the options say where the URL says nothing, and as the URL says otherwise", async () => {
    await serve("right")
    const ca = readFileSync(file("right.crt"), "utf8")
    expect(await reached("", { ca })).toBe(true)
    expect(await reached("", true)).toBe(unknown)
    expect(await reached("sslmode=disable", { ca })).toBe(false)
    expect(await reached("sslmode=verify-full", false)).toBe(unknown)
    expect(await reached("sslmode=verify-full&sslrootcert=FOLDER/missing.crt")).toBe(
      `the database could not connect: ENOENT: no such file or directory, open '${file("missing.crt")}'`
    )
  })
})
