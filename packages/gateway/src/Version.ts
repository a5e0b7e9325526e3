/**
 * The version of this package, as its package.json has it.
 */
import { createRequire } from "node:module"

const manifest = createRequire(import.meta.url)("../package.json") as { readonly version: string }

/** For `--version`, and for who we say we are to clients. */
export const version: string = manifest.version
