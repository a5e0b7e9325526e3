/**
 * A PostgreSQL of its own, with the programs of Debian's package `postgresql`, or of the `PATH`.
 */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const versions = "/usr/lib/postgresql"

const programs = [
  ...(existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, "bin")) : []),
  ...(process.env["PATH"] ?? "").split(":")
].findLast((folder) => existsSync(join(folder, "initdb")))

export const isInstalled = programs !== undefined

/** It refuses to run as root; `nobody` owns nothing else. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/**
 * Makes the files of a database server. Returns a function that starts it, and resolves when it serves.
 *
 * @param {number} port
 * @param {Readonly<Record<string, string>>} [more] Settings of the server.
 */
export const make = (port, more = {}) => {
  if (programs === undefined) throw new Error("PostgreSQL is not installed")
  const folder = mkdtempSync(join(tmpdir(), "lifeline-demo-postgres-"))
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }))
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)
  const options = { ...user, cwd: folder }
  const how = ["-D", folder, "-U", "lifeline", "-A", "trust", "-E", "UTF8", "--no-sync"]
  execFileSync(join(programs, "initdb"), how, { ...options, stdio: "ignore" })
  const settings = { ...more, fsync: "off", listen_addresses: "127.0.0.1", port, unix_socket_directories: "" }
  const args = ["-D", folder, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])]
  return async () => {
    const child = spawn(join(programs, "postgres"), args, {
      ...options,
      // A group of its own: Ctrl+C is for the demo, which ends it last.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"]
    })
    let printed = ""
    await new Promise((resolve, reject) => {
      child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
        printed = (printed + text).slice(-10_000)
        if (printed.includes("ready to accept connections")) resolve(undefined)
      })
      child.once("exit", () => reject(new Error(`PostgreSQL has ended: ${printed}`)))
    })
    return child
  }
}

/** Carries out a statement. Returns what it says, a line a row. @param {number} port @param {string} database @param {string} statement */
export const ask = (port, database, statement) => {
  const how = [
    "-h",
    "127.0.0.1",
    "-p",
    String(port),
    "-U",
    "lifeline",
    "-d",
    database,
    "-X",
    "-A",
    "-t",
    "-c",
    statement
  ]
  return execFileSync("psql", how, { encoding: "utf8" }).trim()
}

/** Ends it, and waits. @param {import("node:child_process").ChildProcess} child */
export const end = async (child) => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, "exit")
  child.kill("SIGINT")
  await ended
}
