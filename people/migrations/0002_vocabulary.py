"""The disciplines and roles that one starts with; data from then on."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

DISCIPLINES = {
    "sre": "SRE",
    "software": "Software engineering",
    "data_science": "Data science",
    "ml_engineering": "ML engineering",
    "data_engineering": "Data engineering",
    "product": "Product",
    "support": "Support",
    "security": "Security",
    "privacy": "Privacy",
    "management": "Management",
}
ROLES = {
    "commander": "Commander",
    "operations_lead": "Operations lead",
    "communications_lead": "Communications lead",
    "scribe": "Scribe",
    "data_scientist": "Data scientist",
    "ml_engineer": "ML engineer",
    "data_engineer": "Data engineer",
    "model_owner": "Model owner",
    "subject_expert": "Subject expert",
    "security_responder": "Security responder",
    "privacy_officer": "Privacy officer",
    "executive_sponsor": "Executive sponsor",
    "customer_liaison": "Customer liaison",
}


def write(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    discipline, role = apps.get_model("people", "Discipline"), apps.get_model("people", "Role")
    for position, (slug, name) in enumerate(DISCIPLINES.items()):
        discipline.objects.get_or_create(slug=slug, defaults={"name": name, "position": position})
    for position, (slug, name) in enumerate(ROLES.items()):
        role.objects.get_or_create(
            slug=slug, defaults={"name": name, "position": position, "is_exclusive": slug == "commander"}
        )


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]
    operations = [migrations.RunPython(write, migrations.RunPython.noop)]
