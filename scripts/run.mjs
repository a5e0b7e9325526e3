import { spawn } from "node:child_process"
import { delimiter } from "node:path"
import { fileURLToPath } from "node:url"

/** The root's tools come first, whether pnpm started us or a plain `node`. */
const environment = () => ({
  ...process.env,
  PATH: [fileURLToPath(new URL("../node_modules/.bin", import.meta.url)), process.env["PATH"]].join(delimiter)
})

/**
 * Runs a program with our terminal and resolves with its exit code.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly cwd?: string, readonly shell?: boolean }} [options]
 * @returns {Promise<number>}
 */
export const run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], env: environment(), ...options })
    child.once("error", reject)
    child.once("exit", (code) => resolve(code ?? 1))
  })

/**
 * Runs a program quietly. Resolves with what it wrote; rejects with the same when it fails.
 *
 * @param {string} command
 * @param {ReadonlyArray<string>} args
 * @param {{ readonly cwd?: string }} [options]
 * @returns {Promise<string>}
 */
export const capture = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: environment(), ...options })
    let output = ""
    const collect = (/** @type {Buffer} */ chunk) => {
      output += chunk.toString()
    }
    child.stdout.on("data", collect)
    child.stderr.on("data", collect)
    child.once("error", reject)
    child.once("close", (code) => {
      if (code === 0) resolve(output)
      else reject(new Error(`${command} ${args.join(" ")} ended with ${code}\n${output}`))
    })
  })
