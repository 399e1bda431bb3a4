import { defineConfig } from "orval";

// The client with axios sends every media type: it writes lists and objects as JSON, and a `Blob` with its own type. The one
// with fetch writes all bodies of an operation with several media types as JSON.
export default defineConfig({
  marquee: {
    input: process.env.OPENAPI_FILE ?? "http://127.0.0.1:8000/openapi.json",
    output: { target: "generated/orval.ts", client: "axios-functions" },
  },
});
