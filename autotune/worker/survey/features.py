"""What a person wants to see of the data beside the survey: roles, samples, rows as features."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

from autotune.base.files import move, write_text_atomic
from autotune.data.conversation import Conversation
from autotune.data.reading import Adapted
from autotune.protocol.choices import Truncation
from autotune.protocol.inspection import Inspection, InspectionSpec, Sample, StopTokens
from autotune.worker.survey.samples import text_runs
from autotune.worker.tokens.encode import ChatCodec
from autotune.worker.tokens.rows import Encoded, Row, row_of


class SampleCollector:
    """Looks at conversations as they are tokenized, one by one, and keeps the rows of a few."""

    def __init__(
        self, spec: InspectionSpec, truncation: Truncation, codec: ChatCodec, tokenizer: Any
    ) -> None:
        """Begin; a file of features is opened beside its place."""
        self.spec = spec
        self.truncation = truncation
        self.codec = codec
        self.tokenizer = tokenizer
        self._roles: Counter[str] = Counter()
        self._samples: list[Sample] = []
        self._features: TextIO | None = None
        if spec.features is not None:
            self._features = self._beside(spec.features).open("w", encoding="utf-8", newline="\n")

    def look(self, at: int, conversation: Conversation, found: Encoded) -> None:
        """One more, the `at`-th that is used; a row without a supervised token is not shown."""
        self._roles.update(message.role for message in conversation.messages)
        if self._features is None and len(self._samples) >= self.spec.samples:
            return  # nobody asks for the other rows
        row = row_of(
            found,
            max_rounds=self.spec.max_rounds,
            model_max_length=self.spec.model_max_length,
            truncation=self.truncation,
        )
        if not row.supervised:
            return
        if len(self._samples) < self.spec.samples:
            self._samples.append(self._sample(at, row))
        if self._features is not None:
            json.dump({"input_ids": row.input_ids, "labels": row.labels}, self._features)
            self._features.write("\n")

    def write(self, adapted: Adapted) -> None:
        """Put the file of the inspection, and that of the features, in their places."""
        if self._features is not None and self.spec.features is not None:
            self._features.close()
            move(self._beside(self.spec.features), Path(self.spec.features))
        eos = self.tokenizer.eos_token_id
        found = Inspection.from_parts(
            adapted,
            self.codec,
            roles=dict(self._roles),
            stop=StopTokens.from_parts(
                self.codec,
                eos_token=self.tokenizer.eos_token,
                eos_id=None if eos is None else int(eos),
            ),
            samples=tuple(self._samples),
        )
        write_text_atomic(Path(self.spec.out), found.model_dump_json())

    def _sample(self, at: int, row: Row) -> Sample:
        markers = frozenset({self.codec.start_id, self.codec.end_id})
        return Sample(
            conversation=at,
            tokens=len(row.input_ids),
            supervised_tokens=row.supervised,
            runs=text_runs(row, self.tokenizer, markers),
        )

    @staticmethod
    def _beside(features: str) -> Path:
        path = Path(features)
        return path.with_name(f".{path.name}.tmp")
