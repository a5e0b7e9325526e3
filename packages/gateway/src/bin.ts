#!/usr/bin/env node
/**
 * The program `mcp-lifeline`.
 */
import { version } from "./Version.js"

// Each loads only what it needs: a script that asks for the version waits for nothing, and a host starts `wrap` for each server.
const [, , command, ...args] = process.argv
const isForHost = args.includes("--stdio") && !args.includes("--help")
if (process.argv.length === 3 && command === "--version") console.log(version)
else if (command === "wrap") await import("./wrap/main.js")
else if (command === "serve" && isForHost) await import("./join/main.js")
else if (command === "adopt") await import("./adopt/main.js")
else await import("./Main.js")
