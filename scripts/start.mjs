#!/usr/bin/env node
/**
 * Builds what the gateway needs and becomes the gateway, with the arguments given: one process, so that a signal which reaches
 * it is the gateway's own. A package manager that is ended by SIGTERM ends only the shell between it and us: a parent that
 * changes is taken for that signal.
 */
import { fileURLToPath } from "node:url"
import { run } from "./run.mjs"

const code = await run("tsc", ["-b", "tsconfig.build.json"], { cwd: fileURLToPath(new URL("..", import.meta.url)) })
if (code !== 0) process.exit(code)
const bin = new URL("../packages/gateway/dist/bin.js", import.meta.url)
process.argv.splice(1, 1, fileURLToPath(bin), "serve")
const parent = process.ppid
setInterval(() => process.ppid === parent || process.kill(process.pid, "SIGTERM"), 500).unref()
await import(bin.href)
