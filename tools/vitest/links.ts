/**
 * Lets modules be found by links again. After a synchronous `stat` of a pipe or a socket, until the next one, Node.js follows no links
 * (`realpathSync` looks at what the last `stat` of the process has said), and pnpm links what a package requires: another version
 * of it would be loaded, for all test files that follow in the process.
 */
import { statSync } from "node:fs"
import { afterEach } from "vitest"

const forget = (): void => void statSync(".")

forget()
afterEach(forget)
