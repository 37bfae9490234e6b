// node validate.mjs FILE…: what is wrong with each OpenAPI document, as JSON: {FILE: [text, …]}. Two opinions: the OpenAPI
// Initiative's own JSON Schema of the version that the document names, and the linter of Redocly with its recommended rules,
// which follows references and holds the examples against their schemas.
import { readFileSync } from "node:fs";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { Validator } from "@seriousme/openapi-schema-validator";

const config = await createConfig({ extends: ["recommended"] });

async function problems(file) {
    const source = readFileSync(file, "utf8");
    const found = [];
    const verdict = await new Validator().validate(JSON.parse(source));
    if (!verdict.valid) {
        found.push(`schema: ${JSON.stringify(verdict.errors).slice(0, 1000)}`);
    }
    for (const problem of await lintFromString({ source, absoluteRef: file, config })) {
        found.push(`${problem.ruleId}: ${problem.message} (${problem.location[0]?.pointer})`);
    }
    return found;
}

const all = {};
for (const file of process.argv.slice(2)) {
    all[file] = await problems(file);
}
console.log(JSON.stringify(all));
