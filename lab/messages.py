"""Log messages in French, by the English message that the code has."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FRENCH: Mapping[str, str] = MappingProxyType(
    {
        "API listening": "API à l'écoute",
        "login succeeded": "connexion ouverte",
        "login failed": "connexion impossible",
        "login rate limited": "trop de connexions depuis cette adresse",
        "token refused": "jeton non valide",
        "upload accepted": "fichier accepté",
        "upload abandoned by its client": "envoi abandonné par le client",
        "upload storage error": "stockage du fichier impossible",
        "track unreadable": "piste illisible",
        "database unavailable": "base de données indisponible",
        "panic recovered: nil pointer dereference": "panique rattrapée : pointeur nul",
        "broker connected": "broker connecté",
        "broker unavailable, new jobs stay in job_queue": (
            "broker indisponible, les nouvelles tâches restent dans job_queue"
        ),
        "broker connection lost": "connexion au broker perdue",
        "consumer cancelled by the broker": "consommateur annulé par le broker",
        "not acknowledged, the broker will deliver it again": (
            "non acquitté, le broker livrera de nouveau"
        ),
        "job worker consuming": "Job Worker en écoute",
        "job worker polling the job_queue table": "Job Worker en lecture de la table job_queue",
        "job worker heartbeat": "Job Worker actif",
        "job worker stopped": "Job Worker arrêté",
        "heartbeat not stored": "signe de vie non enregistré",
        "job_queue cannot be read": "job_queue illisible",
        "database unavailable, job put back": "base de données indisponible, tâche remise en file",
        "process_upload: %s -> %s": "statut du fichier : %s -> %s",
        "upload processing failed": "traitement du fichier échoué",
        "job failed": "tâche échouée",
        "upload rejected": "fichier refusé",
    }
)
