#!/usr/bin/env node
/**
 * The program `mcp-lifeline`.
 */
import { version } from "./Version.js"

// Each loads only what it needs: a script that asks for the version waits for nothing, and a host starts `wrap` for each server.
const [, , command] = process.argv
if (process.argv.length === 3 && command === "--version") console.log(version)
else if (command === "wrap") await import("./wrap/main.js")
else if (command === "adopt") await import("./adopt/main.js")
else await import("./Main.js")
