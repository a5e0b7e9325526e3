import type { termsBounds, TermsOptions } from "@mcp-lifeline/cluster"
import * as Guard from "@mcp-lifeline/http-server/Guard"
import { parseUrl } from "@mcp-lifeline/protocol/parseUrl"
import { Redacted, Struct } from "effect"
import * as Command from "../commandLine/Command.js"

export interface ClusterOptions {
  /** The URL of a PostgreSQL database, which may contain a password; or the path of a file that contains it. */
  readonly store: Redacted.Redacted | { readonly file: string }
  /** A file with the keys by which replicas know each other. Default: the session key. */
  readonly keyFile: string | undefined
  /** Where the other replicas reach this one, as `http://host:port` or `https://host:port`. Default: the URL of its listener. */
  readonly address: string | undefined
  /** Where to listen for the other replicas. Default: at `address`, or else on any free port of 127.0.0.1. */
  readonly listen: HostAndPort
  /** For an address of `https`, and for no other. */
  readonly certificate: CertificateFiles | undefined
  readonly terms: TermsOptions
}

/** An IPv6 address has no brackets. */
export interface HostAndPort {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
}

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string
  readonly key: string
}

const clusterVariable = "MCP_LIFELINE_CLUSTER"

const maxPort = 65_535

/** The package is loaded only for a replica, so the compiler alone compares them. */
const bounds: typeof termsBounds = { lease: [2000, 60_000], withoutStore: [0, 3_600_000] }

/** A host name or an IP address, IPv6 in brackets; and a port. */
const hostAndPort = /^(\[[\da-f:.]+\]|[^\s/?#@:\\[\]]+):(\d{1,5})$/i

const anyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

/** `refuse` gets what is wrong with the text. */
export const storeOf = <A>(text: string, refuse: (why: string) => A): Redacted.Redacted | A => {
  const url = text.trim()
  if (!/^postgres(ql)?:\/\//i.test(url)) {
    return refuse("must be the URL of a PostgreSQL database, such as postgres://user@host/database")
  }
  // Without a host it is that of PGHOST.
  return parseUrl(url.replace("@/", "@host/")) !== undefined
    ? Redacted.make(url)
    : refuse("is not a valid URL: it has one host, and user and password are percent-encoded (%40 for @, %2F for /)")
}

/** `undefined` if the address has another form. */
const partsOf = (text: string): (HostAndPort & { readonly protocol: string; readonly url: string }) | undefined => {
  const [, protocol = "", authority = ""] = /^(https?):\/\/(.*?)\/?$/i.exec(text) ?? []
  const [, name, port] = hostAndPort.exec(authority) ?? []
  const hostname = parseUrl(text)?.hostname
  if (name === undefined || hostname === undefined) return undefined
  return {
    host: Guard.unbracket(hostname),
    port: Number(port),
    protocol: protocol.toLowerCase(),
    url: `${protocol.toLowerCase()}://${hostname}:${Number(port)}`
  }
}

const addressOf = (text: string, refuse: Command.Refuse): string => {
  const parts = partsOf(text)
  if (parts === undefined || parts.port === 0) {
    return refuse(
      "must be http://HOST:PORT or https://HOST:PORT, without a user, a path or a query; an IPv6 address has brackets"
    )
  }
  return anyAddress.has(parts.host)
    ? refuse("must be an address that the other replicas can reach; to listen on all, give --cluster-listen")
    : parts.url
}

const listenOf = (text: string, refuse: Command.Refuse): HostAndPort => {
  const [, name = "", port] = hostAndPort.exec(text) ?? []
  return Number(port) > 0 && Number(port) <= maxPort
    ? { host: Guard.unbracket(name), port: Number(port) }
    : refuse("must be ADDRESS:PORT, such as 0.0.0.0:7333 or [::]:7333")
}

export const options = {
  cluster: {
    ...Command.value(
      "URL",
      "Be a replica of the cluster that this PostgreSQL database keeps, such as postgres://user@host/database: a server then runs once, "
        + "on one of the replicas. Needs a session key, the same for all replicas. Other users of this machine can see command lines: if "
        + "the URL contains a password, prefer --cluster-file or MCP_LIFELINE_CLUSTER; or give the password as PGPASSWORD.",
      (text, refuse) => storeOf(text, refuse)
    ),
    variable: clusterVariable
  },
  clusterFile: Command.text(
    "FILE",
    "A file that contains the URL of this database. Overrides --cluster and MCP_LIFELINE_CLUSTER."
  ),
  clusterKeyFile: Command.text(
    "FILE",
    "A file with the key by which the replicas know each other, and with which they seal what they share; at least 32 characters, and the same for "
      + "all. To replace it, write the new key into the first line and keep the old one below it: replicas understand each other that have one in "
      + "common. It is read at the start. Default: the session key, which then cannot be changed."
  ),
  clusterAddress: {
    ...Command.value(
      "URL",
      "Where the other replicas reach this one, such as http://10.0.0.1:7333. It listens there, and not at --port. Default: any free port "
        + "of 127.0.0.1, for replicas on one machine.",
      addressOf
    ),
    variable: "MCP_LIFELINE_CLUSTER_ADDRESS"
  },
  clusterListen: Command.value(
    "ADDRESS:PORT",
    "Where to listen for the other replicas, if that is not --cluster-address itself.",
    listenOf
  ),
  clusterCertificate: Command.text(
    "FILE",
    "The certificate for a --cluster-address of https, as PEM. The other replicas trust the authorities that Node.js knows, and those of "
      + "NODE_EXTRA_CA_CERTS."
  ),
  clusterCertificateKey: Command.text("FILE", "The private key of this certificate, as PEM, without a passphrase."),
  clusterLease: {
    ...Command.span(
      "How long a replica must have been silent before another one takes its servers, from 2 s to 1 min; the same for all replicas. A longer one helps "
        + "where machines are often too busy to renew it. Default: 6 s.",
      bounds.lease,
      "20s"
    ),
    variable: "MCP_LIFELINE_CLUSTER_LEASE"
  },
  clusterWithoutDatabase: {
    ...Command.span(
      "How long servers go on at most while the database is away and the replicas reach each other, up to 1 h; the same for all replicas. If all are killed "
        + "at once, no server runs for this time and a lease. Default: 10 min.",
      bounds.withoutStore,
      "1min"
    ),
    variable: "MCP_LIFELINE_CLUSTER_WITHOUT_DATABASE"
  }
}

type Values = Command.Values<typeof options>

interface Others {
  readonly config: string | undefined
  readonly host: string
  readonly linger: number | undefined
  readonly stdio: boolean
  readonly hasKey: boolean
  readonly hasToken: boolean
  readonly isBehindProxy: boolean
}

const certificateOf = (
  { clusterAddress: address, clusterCertificate: certificate, clusterCertificateKey: key }: Values,
  refuse: Command.Refuse
): CertificateFiles | undefined => {
  if ((certificate === undefined) !== (key === undefined)) {
    return refuse("--cluster-certificate and --cluster-certificate-key belong together; give both or none")
  }
  const isHttps = address?.startsWith("https:") ?? false
  if (certificate === undefined || key === undefined) {
    return isHttps
      ? refuse("--cluster-address is https; give --cluster-certificate and --cluster-certificate-key, too")
      : undefined
  }
  return isHttps
    ? { certificate, key }
    : refuse("--cluster-certificate needs a --cluster-address that begins with https")
}

/** `undefined` without a database. Refuses what does not go together. */
export const read = (
  values: Values,
  { config, hasKey, hasToken, host, isBehindProxy, linger, stdio }: Others,
  { has, refuse }: Pick<Command.Line, "has" | "refuse">,
  platform: NodeJS.Platform = process.platform
): ClusterOptions | undefined => {
  const { clusterAddress: address, clusterFile: file, clusterListen: listen } = values
  const store = file === undefined ? values.cluster : { file }
  if (store === undefined) {
    const other = Struct.keys(options).find((key) => values[key] !== undefined)
    if (other === undefined) return undefined
    const name = Command.nameOf(other)
    const { variable = name }: Command.Option<unknown> = options[other]
    return refuse(`${has(name) ? name : variable} needs --cluster or --cluster-file`)
  }
  const name = file === undefined ? has("--cluster") ? "--cluster" : clusterVariable : "--cluster-file"
  if (platform === "win32") {
    return refuse(`${name} does not work on Windows: there, nothing could end the servers of a replica that hangs`)
  }
  const other = stdio ? "--stdio" : linger === undefined ? undefined : "--linger"
  if (other !== undefined) return refuse(`${name} cannot be combined with ${other}; keep one of the two`)
  if (config === undefined) return refuse(`${name} needs --config FILE: the file that all replicas serve`)
  if (!hasKey) {
    return refuse(
      `${name} needs a session key, the same for all replicas: give --session-key-file or MCP_LIFELINE_SESSION_KEY, made with: `
        + "openssl rand -base64 32"
    )
  }
  if (!hasToken && (isBehindProxy || !Guard.isLoopback(host))) {
    return refuse(
      `${name} ${
        isBehindProxy ? "behind a proxy" : `with --host ${host}`
      } needs a token, the same for all replicas: give --token-file or MCP_LIFELINE_TOKEN`
    )
  }
  if (listen !== undefined && address === undefined) {
    return refuse("--cluster-listen needs --cluster-address, where the other replicas reach what listens there")
  }
  const { host: listenHost = "127.0.0.1", port = 0 } = listen ?? partsOf(address ?? "") ?? {}
  return {
    store,
    keyFile: values.clusterKeyFile,
    address,
    listen: { host: listenHost, port },
    certificate: certificateOf(values, refuse),
    terms: { lease: values.clusterLease, withoutStore: values.clusterWithoutDatabase }
  }
}
