// Prisma's client over its driver adapters, which needs no engine of its own to be downloaded. pg.json and sqlite.json
// are the configuration that `prisma generate` 7.10.0 (generator prisma-client) writes into client/internal/class.ts
// for pg.prisma and sqlite.prisma, which `auth generate` 1.7 made; pg.sql and sqlite.sql are what Prisma's schema engine
// makes of them (`migrate diff --from-empty --script`), without its CREATE SCHEMA for public.
import fs from 'node:fs';
import { getPrismaClient } from '@prisma/client/runtime/client';

/** `kind`: pg or sqlite; `adapter`: a driver adapter. */
export function prismaClient(kind, adapter) {
  const configuration = JSON.parse(fs.readFileSync(new URL(`${kind}.json`, import.meta.url), 'utf8'));
  const compiler = `@prisma/client/runtime/query_compiler_fast_bg.${configuration.activeProvider}`;
  const PrismaClient = getPrismaClient({
    ...configuration,
    previewFeatures: [],
    compilerWasm: {
      getRuntime: () => import(`${compiler}.mjs`),
      getQueryCompilerWasmModule: async () => {
        const { wasm } = await import(`${compiler}.wasm-base64.mjs`);
        return new WebAssembly.Module(Buffer.from(wasm, 'base64'));
      },
      importName: './query_compiler_fast_bg.js',
    },
  });
  return new PrismaClient({ adapter });
}
