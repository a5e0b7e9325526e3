/** Runs everything that there is to run, one after the other: `pnpm test` with its slow tests and larger generated runs, and `pnpm test:rest`. */
import { fileURLToPath } from "node:url"
import { pnpmCommand, run } from "./run.mjs"

const cwd = fileURLToPath(new URL("../", import.meta.url))
process.env["LIFELINE_FULL"] = "1"
for (const script of ["test", "test:rest"]) {
  const [command, args] = await pnpmCommand([script], cwd)
  if (await run(command, args, { cwd }) !== 0) process.exitCode = 1
}
