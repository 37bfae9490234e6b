/*
 * between: a proxy between the browser and the service. It records every request, and a rule can answer in the
 * service's place, so that a test counts what was really sent and decides what comes back.
 */
"use strict";
const http = require("http");

const readAll = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

class Between {
  constructor(target) {
    this.target = new URL(target);
    this.reset();
    this.server = http.createServer((request, response) => this.serve(request, response));
    this.server.keepAliveTimeout = 60000;
  }

  listen() {
    return new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  // rule(record): nothing to forward the request, {status, headers, body} to answer it, "lose" to forward it and hang
  // up without the answer, "half" to hang up midway through one; or a promise of one of these.
  reset() {
    this.rule = () => undefined;
    this.prefix = "";
    this.seen = [];
  }

  // The requests whose path ends so, without preflights.
  to(ending) {
    return this.seen.filter((record) => record.method !== "OPTIONS" && record.path.endsWith(ending));
  }

  async serve(request, response) {
    const body = await readAll(request).catch(() => null);
    if (body === null) return;
    const { pathname, search } = new URL(request.url.replace(/^\/+/, "/"), "http://between");
    const record = { method: request.method, path: pathname, search, headers: request.headers, body: body.toString() };
    if (!pathname.startsWith("/favicon")) this.seen.push(record);
    const verdict = await this.rule(record);
    if (verdict === "half") {
      const headers = {
        "Content-Type": "application/json",
        "Content-Length": 1000,
        "Access-Control-Allow-Origin": "*",
      };
      response.writeHead(200, headers);
      response.write('{"chat":{', () => setTimeout(() => request.socket.destroy(), 50));
    } else if (verdict && verdict !== "lose") {
      response.writeHead(verdict.status, verdict.headers);
      response.end(verdict.body);
    } else {
      this.forward(request, response, body, record, verdict === "lose");
    }
  }

  forward(request, response, body, record, isLost) {
    const path = request.url.startsWith(this.prefix) ? request.url.slice(this.prefix.length) : request.url;
    const { hostname, port, pathname } = this.target;
    const options = {
      hostname,
      port,
      method: request.method,
      headers: request.headers,
      path: pathname.replace(/\/$/, "") + path,
    };
    const onward = http.request(options, async (answer) => {
      const answered = await readAll(answer).catch(() => Buffer.alloc(0));
      record.status = answer.statusCode;
      record.answer = answered.toString();
      if (isLost) {
        request.socket.destroy();
        return;
      }
      const headers = { ...answer.headers };
      delete headers.connection; // of this hop only, as is the next
      delete headers["transfer-encoding"];
      response.writeHead(answer.statusCode, answer.statusMessage, headers);
      response.end(answered);
    });
    onward.on("error", (error) => {
      record.error = error.message;
      request.socket.destroy();
    });
    onward.end(body);
  }
}

module.exports = { Between };
