/* site: the web site of somebody else, an origin of its own, with the pages that a case gives it. */
"use strict";
const http = require("http");

class Site {
  constructor() {
    this.pages = new Map();
    this.server = http.createServer((request, response) => {
      const page = this.pages.get(new URL(request.url, "http://site").pathname);
      // Chromium asks for /favicon.ico by itself: there is none, which is no error.
      response.writeHead(page ? 200 : 204, { "Content-Type": "text/html; charset=utf-8", ...(page && page.headers) });
      response.end(page && page.html);
    });
  }

  listen() {
    return new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  // The address of a page with this content.
  put(html, headers = {}) {
    const path = `/page-${this.pages.size}`;
    this.pages.set(path, { html, headers });
    return `http://127.0.0.1:${this.server.address().port}${path}`;
  }
}

module.exports = { Site };
