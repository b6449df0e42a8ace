#!/usr/bin/perl

# The built-in provider: every field and the header that steers it.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(real => { json => chat_answer('from afar') });
my $gw = Gateway->start(
    http => zone() . provider(real => openai => $up->url('real')) . <<'EOF',
ai_proxy_provider echo { type mock; }
ai_proxy_provider reply { type mock; reply "canned answer here"; }
ai_proxy_provider tokens { type mock; tokens 25; }
ai_proxy_provider rate { type mock; tokens 6; rate 20; }
ai_proxy_provider delay { type mock; delay 300ms; }
ai_proxy_provider status { type mock; status 503; }
ai_proxy_provider cut { type mock; tokens 20; cut_after 3; }
ai_proxy_route fb { provider status; fallback reply; }
ai_proxy_route fb_real { provider status; fallback real; }
EOF
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(echo reply tokens rate delay status cut fb fb_real));

sub chat {
    my ($name, $fields, %headers) = @_;
    return $gw->client->post("/$name/v1/chat/completions",
        chat_body(%{ $fields // {} }), headers => \%headers);
}
my $s = { stream => JSON::PP::true };

my $reply = chat('echo');
is($reply->{status}, 200, 'echo');
is(Client::text($reply), 'private-prompt hello', 'says what it was told');
my $body = Client::json($reply);
is($body->{object}, 'chat.completion', 'as OpenAI would');
is($body->{model}, 'gpt-4o', 'under the model asked for');
cmp_ok($body->{usage}{total_tokens}, '>', 0, 'with usage');
is($body->{usage}{total_tokens}, $body->{usage}{prompt_tokens}
    + $body->{usage}{completion_tokens}, 'that adds up');
check_stream(chat('echo', $s), 'private-prompt hello', 'streamed too');

is(Client::text(chat('reply')), 'canned answer here', 'a canned answer');
check_stream(chat('reply', $s), 'canned answer here', 'streamed');
my @words = split ' ', Client::text(chat('tokens'));
is(scalar @words, 25, 'that many words');
@words = split ' ', Client::text(chat('tokens', $s));
is(scalar @words, 25, 'streamed');

my $begin = Client::now();
check_stream(chat('rate', $s), undef, 'a rate');
cmp_ok(Client::now() - $begin, '>', 0.2, 'is kept');
$begin = Client::now();
is(chat('delay')->{status}, 200, 'a delay');
cmp_ok(Client::now() - $begin, '>=', 0.29, 'is waited for');

check_error(chat('status'), 503, undef, 'an error status');
check_error(chat('status', $s), 503, undef, 'streamed');
is(Client::text(chat('fb')), 'canned answer here', 'falls back like any other');
is(Client::text(chat('fb_real')), 'from afar', 'to a real provider, too');

$reply = chat('cut', $s);
is($reply->{status}, 200, 'a cut stream');
is(scalar(grep { ref && $_->{error} } Client::events($reply)), 1,
    'has its error event');
unlike($reply->{body}, qr/\[DONE\]/, 'and no end');

# The header steers a single request.

is(Client::text(chat('echo', {}, 'x-mock' => 'reply=steered')), 'steered',
    'x-mock: reply');
$reply = chat('echo', {}, 'x-mock' => 'status=429,retry_after=2');
check_error($reply, 429, undef, 'x-mock: status');
is(Client::header($reply, 'Retry-After'), '2', 'x-mock: retry_after');
@words = split ' ', Client::text(chat('echo', $s, 'x-mock' => 'tokens=7'));
is(scalar @words, 7, 'x-mock: tokens');
$reply = chat('echo', $s, 'x-mock' => 'tokens=9,cut=2');
unlike($reply->{body}, qr/\[DONE\]/, 'x-mock: cut');
$begin = Client::now();
chat('echo', {}, 'x-mock' => 'delay=200');
cmp_ok(Client::now() - $begin, '>=', 0.19, 'x-mock: delay');
is(chat('echo', {}, 'x-mock' => '=,,x=1,status=abc,tokens=-1,rate=99999999')
    ->{status} =~ /^(200|400)$/, 1, 'x-mock: nonsense does no harm');

# Usage is shown to those who ask.

$reply = chat('echo', { %$s,
    stream_options => { include_usage => JSON::PP::true } });
is(scalar(grep { ref && $_->{usage} } Client::events($reply)), 1,
    'usage when asked for');

# Other APIs.

$reply = $gw->client->get('/echo/v1/models');
is($reply->{status}, 200, 'models');
is(Client::json($reply)->{object}, 'list', 'are a list');
$reply = $gw->client->post('/echo/v1/embeddings',
    '{"model":"m","input":["private-prompt","b"]}');
is($reply->{status}, 200, 'embeddings');
is(scalar @{ Client::json($reply)->{data} }, 2, 'one for each input');
is($gw->client->post('/echo/v1/images/generations',
    '{"model":"m","prompt":"x"}')->{status}, 404, 'what it does not have');

# 200 at once.

my @clients = map { $gw->client->send('POST', '/rate/v1/chat/completions',
    chat_body(%$s)) } 1 .. 200;
my @good = grep { $_->{complete} && $_->{body} =~ /\[DONE\]\n\n\z/ }
    Client::finish_all(20, @clients);
is(scalar @good, 200, '200 streams at once');

done($gw, $up);
