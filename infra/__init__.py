"""The Pulumi program: settings -> plan -> store of the declared cloud -> exports; and `taxonomy.yaml`, the data.

The rule: `infra.identity` and `infra.retention` are named in the states of stacks that stand, so neither they nor
their classes are ever renamed; and no module here is named after one of the standard library, which it would hide.
"""
