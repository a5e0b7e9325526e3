#!/usr/bin/env node
/**
 * Builds what the gateway needs and becomes the gateway, with the arguments given: one process, so that a signal which reaches
 * it is the gateway's own. A package manager that is ended by SIGTERM ends only the shell below it, if that: when one of those
 * that started us has ended, we take it for that signal.
 */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { run, signalled } from "./run.mjs"

const linux = process.platform === "linux"
const manager = /^(\S*\/)?(node( -\S+)* (\S*\/)?)?(npm|npx|pnpm)(-cli)?(\.c?js)?( |$)/
const shell = /^(\S*\/)?\w*sh -c /

/** @param {number} pid */
const stat = (pid) => {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8")
  const [state, parent] = text.slice(text.lastIndexOf(")") + 2).split(" ")
  return { state, parent: Number(parent) }
}

/** @param {number} pid */
const look = (pid) => {
  if (linux) {
    return { parent: stat(pid).parent, command: readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ") }
  }
  const line = execFileSync("ps", ["-ww", "-o", "ppid=,args=", "-p", `${pid}`]).toString().trim()
  const space = line.indexOf(" ")
  return { parent: Number(line.slice(0, space)), command: line.slice(space).trim() }
}

/** The package managers above us and the shells between them and us, but no shell of the user's above them. */
const starters = () => {
  const found = []
  const shells = []
  try {
    for (let pid = process.ppid; pid > 0;) {
      const { command, parent } = look(pid)
      if (manager.test(command)) found.push(...shells.splice(0), pid)
      else if (shell.test(command)) shells.push(pid)
      else break
      pid = parent
    }
  } catch {
    // What cannot be looked at is not watched.
  }
  return found
}

/** @param {number} pid */
const ended = (pid) => {
  try {
    return linux ? stat(pid).state === "Z" : !process.kill(pid, 0)
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code !== "EPERM"
  }
}

const parent = process.ppid
const watched = starters()
const watch = setInterval(() => {
  if (process.ppid !== parent || watched.some(ended)) process.kill(process.pid, "SIGTERM")
}, 500).unref()

const interrupted = new AbortController()
const interrupt = () => interrupted.abort()
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, interrupt)

/** Resolves with the exit code of the compiler; an interrupt ends it. */
const build = () =>
  run("tsc", ["-b", "tools/tsconfig.build.json"], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    signal: interrupted.signal
  })

const [node = "", , ...given] = process.argv
const code = given.includes("--no-build") ? 0 : await build()
// A terminal sends Ctrl+C to the compiler as well, which may end before we hear of it.
if (interrupted.signal.aborted || code === signalled("SIGINT")) process.exit(0)
if (code !== 0) process.exit(code)
const program = new URL("../packages/gateway/dist/bin.js", import.meta.url)
process.argv = [node, fileURLToPath(program), "serve", ...given.filter((argument) => argument !== "--no-build")]
await import(program.href)
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.off(signal, interrupt)
  // A second signal would end the gateway at once. Not before its own listeners: with one, a signal no longer kills by itself.
  process.once(signal, () => clearInterval(watch))
}
// The gateway was being loaded and has not heard of it.
if (interrupted.signal.aborted) process.kill(process.pid, "SIGTERM")
