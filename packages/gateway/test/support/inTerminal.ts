import { Effect } from "effect"
import { spawn } from "node:child_process"

/** Runs a command of a shell in a terminal, which `script` of util-linux makes, and ends it with the scope. */
export const inTerminal = (command: string, env: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const all = { ...process.env, ...env }
      const child = spawn("script", ["-qec", command, "/dev/null"], { env: all, stdio: ["pipe", "pipe", "ignore"] })
      let shown = ""
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => shown += chunk)
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve))
      return { child, ended, shown: () => shown }
    }),
    ({ child, ended }) => Effect.zipRight(Effect.sync(() => child.kill("SIGKILL")), Effect.promise(() => ended))
  )
