/**
 * The version of this package, from its package.json.
 */
import { createRequire } from "node:module"

const manifest = createRequire(import.meta.url)("../package.json") as { readonly version: string }

/** The version for `--version`, clients and servers. */
export const version: string = manifest.version
