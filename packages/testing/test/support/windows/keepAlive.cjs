"use strict"
/**
 * Read before every program. Wine 8 does not know TCP_KEEPALIVE, by which Node.js sets after how long an idle socket is probed: `fetch`, and
 * what else connects with `keepAlive`, would fail with "connect UNKNOWN".
 */
// @ts-expect-error -- it has no types
const { TCP } = process.binding("tcp_wrap")
TCP.prototype.setKeepAlive = () => 0
