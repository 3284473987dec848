/** The headers of every request of a browser. */
export const BROWSER_HEADERS = {
  "user-agent":
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
  "accept-language": "en-GB,en;q=0.9,de;q=0.8",
  "accept-encoding": "gzip, deflate, br, zstd",
  cookie: "theme=dark; session=0123456789abcdef0123456789abcdef",
};

/** The headers that a browser's polls have besides. */
export const POLL_HEADERS = {
  ...BROWSER_HEADERS,
  accept: "*/*",
  "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
  "sec-ch-ua-mobile": "?0",
  "sec-ch-ua-platform": '"Linux"',
  "sec-fetch-site": "same-origin",
  "sec-fetch-mode": "cors",
  "sec-fetch-dest": "empty",
  referer: "http://localhost/",
};

/** Options of its WebSockets: it offers compression, and where the server takes it compresses whatever it sends. */
export const AS_BROWSERS = {
  perMessageDeflate: { threshold: 0 },
  maxPayload: 0,
  headers: { ...BROWSER_HEADERS, "cache-control": "no-cache", pragma: "no-cache" },
};
