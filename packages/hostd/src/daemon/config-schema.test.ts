import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import { expect, test } from 'vitest';
import { schemaUrl } from './config-schema.ts';

/** ajv's helpers are CommonJS, and it asks for them as such in an ES module, too. */
const HEAD = `// Made by ajv from hostd.schema.json: vitest run --project unit config-schema -u
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
`;

test('what checks a configuration is what ajv makes of the schema as it is', async () => {
  const ajv = new Ajv2020({ allowUnionTypes: true, verbose: true, code: { source: true, esm: true } });
  const code = standalone.default(ajv, ajv.compile(JSON.parse(readFileSync(schemaUrl, 'utf8'))));
  await expect(`${HEAD}${code}\n`).toMatchFileSnapshot('../../schema/validate.js');
});
