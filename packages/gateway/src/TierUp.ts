/**
 * When V8 optimizes the functions of a relay: sooner than by its defaults, because each message takes the same way through a few
 * hundred functions, and most sessions end before these have run as often as the defaults want.
 */
import { setFlagsFromString } from "node:v8"

/**
 * The option by version of Node.js. Node.js 24 has a compiler in between, and gains nothing. A version that is not named keeps its
 * defaults, because V8 complains on standard error about an option that it does not know.
 */
export const options: Readonly<Record<string, string>> = {
  20: "--interrupt-budget=20000", // 67584 by default
  22: "--invocation-count-for-turbofan=600" // 3000 by default
}

/** Sets the option for this process. It changes when code is optimized, and nothing else. */
export const sooner = (): void => {
  const option = options[process.versions.node.split(".", 1)[0] ?? ""]
  if (option === undefined) return
  try {
    setFlagsFromString(option)
  } catch {
    // Another runtime may call itself by a version of Node.js, and have no V8.
  }
}
