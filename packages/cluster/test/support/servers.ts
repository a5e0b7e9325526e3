/** Processes that a replica runs, in all the ways in which they could outlive it. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"

export interface Server {
  readonly title: string
  readonly pid: number
  readonly isNamed: boolean
}

type Env = Readonly<Record<string, string>>

const shell = (script: string, env: Env, detached: boolean): ChildProcess & { readonly pid: number } => {
  const child = spawn("/bin/sh", ["-c", script], {
    detached,
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "ignore"]
  })
  child.on("error", () => {})
  child.stdin?.on("error", () => {})
  if (child.pid === undefined) throw new Error("no /bin/sh")
  return Object.assign(child, { pid: child.pid })
}

/** A process that ends by itself in five minutes, if nobody kills it. */
export const sleeper = (env: Env, detached = true): number => shell("exec sleep 300", env, detached).pid

/** A server that ends on nothing but SIGKILL, once it has said so. */
export const stubborn = async (env: Env): Promise<number> => {
  const server = shell("trap '' TERM INT HUP; echo; i=0; while [ $i -lt 300 ]; do sleep 1; i=$((i+1)); done", env, true)
  await once(server.stdout!, "data")
  return server.pid
}

export const servers = async (env: Env): Promise<ReadonlyArray<Server>> => {
  const parent = shell("setsid sleep 300 & echo $!; wait", env, true)
  const [line] = await once(parent.stdout!, "data") as [Buffer]
  return [
    { title: "that ends on nothing but SIGKILL", pid: await stubborn(env), isNamed: true },
    { title: "with a child that has a session of its own", pid: parent.pid, isNamed: true },
    { title: "in a session of its own, started by another one", pid: Number(line.toString()), isNamed: false },
    { title: "that was never named", pid: sleeper(env), isNamed: false },
    { title: "in the group of the replica", pid: sleeper(env, false), isNamed: false }
  ]
}
