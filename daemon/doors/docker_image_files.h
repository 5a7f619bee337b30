/* SPDX-License-Identifier: Apache-2.0 */
/* Images as files: the handlers of save and import, for docker_images.c. */
#pragma once

#include "daemon/server.h"

void docker_image_save(struct request *r);       /* one, by the {name} of the pattern */
void docker_images_save(struct request *r);      /* several, by ?names= */
void docker_image_create(struct request *r);     /* import; pulling is refused */
