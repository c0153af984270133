"""The Pulumi program: settings -> plan -> store of the declared cloud -> exports; and `taxonomy.yaml`, the data.

The rule: the states of deployed stacks name `infra.identity`, `infra.retention` and `infra.bucket_policy`, so never
rename these modules or their classes. No module here has the name of a standard library module, because it would hide
that module.
"""
