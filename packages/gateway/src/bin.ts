#!/usr/bin/env node
/**
 * The program `mcp-lifeline`.
 */
import { version } from "./Version.js"

// Loaded only where it is needed: a script that asks for the version should not wait for all the rest.
if (process.argv.length === 3 && process.argv[2] === "--version") console.log(version)
else await import("./Main.js")
