/** Where the programs are that are built before the tests, by `tools/vitest/built.ts`. */
import { fileURLToPath } from "node:url"

const build = new URL("../../../../build/programs/", import.meta.url)

/** The reference server of the protocol's authors, in one file: it starts in half the time. Takes `stdio`, `sse` or `streamableHttp`. */
export const everything = fileURLToPath(new URL("everything/index.js", build))

export const peer = fileURLToPath(new URL("peer/peer.js", build))

export const eras = fileURLToPath(new URL("eras/eras.js", build))

export const counter = fileURLToPath(new URL("counter/counter.js", build))

export const signer = fileURLToPath(new URL("signer/signer.js", build))

export const gateway = fileURLToPath(new URL("../../../gateway/esm/bin.js", import.meta.url))

/** Options of Node.js with which a program has the facade as it is published, in place of modules that import a thousand more. */
export const published: ReadonlyArray<string> = ["--conditions=published"]
