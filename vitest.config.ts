import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { isFull } from "./packages/testing/test/support/Full.js"
import { LongestFirst } from "./vitest.sequencer.js"
import { project } from "./vitest.shared.js"
import packages from "./vitest.workspace.js"

/**
 * Tests start processes and servers of their own, so half of a large machine. They mostly wait for them, so six on a small one: five leave two
 * cores idle for a fifth of the time.
 */
const workers = Math.max(6, Math.ceil(availableParallelism() / 2))

/**
 * What others do with what is built: a browser, clients, hosts and servers that others wrote, a package manager, a compiler and programs of
 * users, whose own work is most of what these take; what starts the program, or other processes, dozens of times; and what is about many or
 * long: crowds, matrices of faults and eras, inputs of any form or length, soak. `.ci/run` runs them, and so does whoever names them.
 */
const onlyInFull = [
  "examples/test/examples",
  "packages/cluster/test/ClusterBackend",
  "packages/cluster/test/Watchdog",
  "packages/gateway/test/access/OwnServers",
  "packages/gateway/test/access/Program",
  "packages/gateway/test/access/Serve",
  "packages/gateway/test/access/Tasks",
  "packages/gateway/test/access/Streams",
  "packages/gateway/test/adopt/Adopt",
  "packages/gateway/test/adopt/Start",
  "packages/gateway/test/AfterRefusal",
  "packages/gateway/test/Alerts",
  "packages/gateway/test/audit/Audit",
  "packages/gateway/test/audit/Callers",
  "packages/gateway/test/audit/Report",
  "packages/gateway/test/audit/Wrap",
  "packages/gateway/test/auth/OAuthClients",
  "packages/gateway/test/auth/Serve",
  "packages/gateway/test/Check",
  "packages/gateway/test/ClusterCallers",
  "packages/gateway/test/ClusterKeyChange",
  "packages/gateway/test/ClusterTerms",
  "packages/gateway/test/Commands",
  "packages/gateway/test/Crowd",
  "packages/gateway/test/deploy/Container",
  "packages/gateway/test/Doors",
  "packages/gateway/test/Events",
  "packages/gateway/test/Fuzz",
  "packages/gateway/test/FuzzDoors",
  "packages/gateway/test/GivenUp",
  "packages/gateway/test/http/ChangedSecrets",
  "packages/gateway/test/http/Restart",
  "packages/gateway/test/identity/PersonalSignIn",
  "packages/gateway/test/identity/PublicLogin",
  "packages/gateway/test/identity/SharedLogin",
  "packages/gateway/test/Join",
  "packages/gateway/test/LeftBehind",
  "packages/gateway/test/LinearFunctions",
  "packages/gateway/test/LinearText",
  "packages/gateway/test/Operation",
  "packages/gateway/test/Outlived",
  "packages/gateway/test/page/Page",
  "packages/gateway/test/PerClientStatus",
  "packages/gateway/test/PinDoors",
  "packages/gateway/test/Prefixes",
  "packages/gateway/test/RealClients",
  "packages/gateway/test/Proxies",
  "packages/gateway/test/Refusals",
  "packages/gateway/test/Reload",
  "packages/gateway/test/SecretCommands",
  "packages/gateway/test/Secrets",
  "packages/gateway/test/sign-in/Commands",
  "packages/gateway/test/sign-in/KeepSignedIn",
  "packages/gateway/test/soak/Soak",
  "packages/gateway/test/Start",
  "packages/gateway/test/Tasks",
  "packages/gateway/test/TaskSessions",
  "packages/gateway/test/UserFiles",
  "packages/gateway/test/WrapEras",
  "packages/gateway/test/WrapFailuresHttp",
  "packages/gateway/test/WrapFailuresSignIn",
  "packages/gateway/test/WrapFailuresStdio",
  "packages/gateway/test/WrapHttpEras",
  "packages/gateway/test/WrapInspector",
  "packages/gateway/test/WrapMore",
  "packages/gateway/test/WrapServers",
  "packages/gateway/test/WrapUnread",
  "packages/gateway/test/WrapUrl",
  "packages/promise/test/Clients",
  "packages/promise/test/Exit",
  "packages/promise/test/FirstConnection",
  "packages/promise/test/GivenUp",
  "packages/promise/test/OpenFiles",
  "packages/promise/test/OtherClients",
  "packages/promise/test/Parity",
  "packages/promise/test/Programs",
  "packages/promise/test/Replicas",
  "packages/promise/test/SignIn",
  "packages/sign-in/test/Logins",
  "packages/sign-in/test/Oidc",
  "packages/sign-in/test/Processes",
  "packages/testing/test/benchmarks/RecoveryLive",
  "packages/transport-http/test/Everything",
  "packages/transport-http/test/LongLife",
  "packages/transport-http/test/Resume",
  "packages/transport-http/test/Soak",
  "packages/transport-http/test/Streams",
  "packages/transport-stdio/test/container"
].map((name) => `${name}.test.ts`)

const isAskedFor = (file: string): boolean =>
  isFull || process.argv.slice(2).some((argument) => file.includes(argument))

/** What `--exclude` names, which vitest tells projects of files of their own alone. */
const excluded = process.argv.flatMap((argument, index, all) => all[index - 1] === "--exclude" ? [argument] : [])

/**
 * All tests as one project, so that its processes run the files of every package: with a project a package each process would start,
 * and import Effect and the SDK, once for every package, and all would wait for its last file.
 */
const all = project("lifeline", {
  built: true,
  include: ["packages/*/test/**/*.test.ts", "examples/test/**/*.test.ts"],
  exclude: [...excluded, ...onlyInFull.filter((file) => !isAskedFor(file))]
})

/** Whoever names a package has its tests alone, and nothing built that they do not need. */
const isNamed = process.argv.some((argument) => argument.startsWith("--project"))

export default defineConfig({
  test: {
    projects: isNamed ? packages : [all],
    pool: "forks",
    poolOptions: {
      forks: {
        // One process for many files: to start one and to import Effect and the SDK costs a second of work a file.
        isolate: false,
        // Of what tests compute, a third went into collecting the young objects of virtual time, sixteen megabytes at a time.
        execArgv: ["--min-semi-space-size=32", "--max-semi-space-size=64"],
        // As many at all times: a worker that is retired for idleness still takes a file, and ends with it ("Terminating worker
        // thread").
        minForks: workers,
        maxForks: workers
      }
    },
    sequence: { sequencer: LongestFirst }
  }
})
